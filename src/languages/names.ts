const names = new Intl.DisplayNames(['en'], { type: 'language' })

/** What English calls a language. */
export const languageName = (code: string): string => names.of(code) ?? code
