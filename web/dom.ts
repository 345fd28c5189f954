/** Small helpers for the page's elements. */

/** The element of an id, of the class that is expected. */
export function get<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`index.html: expected ${kind.name} with the id ${id}`)
}

export const input = (id: string) => get(id, HTMLInputElement)
export const select = (id: string) => get(id, HTMLSelectElement)
export const button = (id: string) => get(id, HTMLButtonElement)
export const block = (id: string) => get(id, HTMLElement)

/** Makes an element with what is in it. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className = '',
  ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  if (className) made.className = className
  made.append(...content)
  return made
}

/** Sets a text only if it is another: a live region would be read again. */
export function say(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

/** Terms and their descriptions. */
export function describe(list: HTMLElement, entries: readonly (readonly [string, string])[]): void {
  list.replaceChildren(
    ...entries.map(([term, text]) =>
      element('div', '', element('dt', '', term), element('dd', '', text)),
    ),
  )
}

export const number = (value: number, digits = 0): string =>
  value.toLocaleString('en', { maximumFractionDigits: digits })

export const many = (count: number, name: string): string =>
  `${number(count)} ${name}${count === 1 ? '' : 's'}`

export const megabytes = (bytes: number): string =>
  bytes >= 1e9 ? `${number(bytes / 1e9, 2)} GB` : `${number(bytes / 1e6, bytes < 1e7 ? 1 : 0)} MB`

export const duration = (ms: number): string =>
  ms < 1000 ? `${number(ms)} ms` : `${number(ms / 1000, ms < 10_000 ? 2 : 1)} s`
