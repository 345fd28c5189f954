/** One step of a cascade: the layer at which passages are scored, and which of them go on. */
export interface CascadeStage {
  readonly layer: number
  /** How many of the best go on. Left out in the last stage: all that came so far have its score. */
  readonly keep?: number | undefined
  /**
   * Adaptive exit: those go on besides whose score is at most this much below that of rank `keep`. A passage leaves only where its
   * distance makes it unlikely that it comes back among the first `keep`; how many do depends on the query.
   */
  readonly margin?: number | undefined
}
