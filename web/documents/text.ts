/** Bytes to text, and the marks of Markdown taken off. */

/** What a file holds that is not text. */
export class NotText extends Error {}

/**
 * Decodes a text: by its byte order mark, as UTF-8, or else by `fallback`.
 *
 * @throws NotText where the bytes are those of no text
 */
export function decodeText(bytes: Uint8Array, fallback = 'windows-1252'): string {
  const [a, b] = bytes
  if (a === 0xff && b === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (a === 0xfe && b === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  if (bytes.includes(0)) throw new NotText('it holds zero bytes, which texts do not have')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder(fallback).decode(bytes)
  }
}

/** Where a link leads: what has a slash, a number sign or a file's ending, with a title or without. */
const definition =
  /^\s*\[(?!\^)([^\]\n]+)\]:[ \t]+<?(?:\S*[/#]\S*|mailto:\S+|\S+\.\w+)>?(?:[ \t]+["'(].*)?[ \t]*$/gm

/** Markdown as plain text: what marks structure goes, the words stay. Code is left as it is. */
export function plainMarkdown(source: string): string {
  const body = source.replace(/\r\n?/g, '\n').replace(/^---\n(?=[\w-]+:)[\s\S]*?\n---\n/, '')
  const links = new Set(Array.from(body.matchAll(definition), ([, name]) => name?.toLowerCase()))
  // Text, the mark of a fence and the code in it, in turn. A fence that does not end ends with the document.
  const parts = body.split(
    /^[ \t]*(`{3,}|~{3,})[^`~\n]*\n([\s\S]*?)(?:^[ \t]*\1[`~]*[ \t]*$|(?![\s\S]))/m,
  )
  return parts
    .map((part, i) => (i % 3 === 0 ? plainBlock(part, links) : i % 3 === 1 ? '' : part))
    .join('')
}

/** @param links names of the links that are defined, in lower case */
const plainBlock = (text: string, links: ReadonlySet<string | undefined>) =>
  text
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(definition, '')
    .replace(/^(.+)\n(=+|-{3,})[ \t]*$/gm, '$1\n')
    .replace(/^#{1,6}[ \t]+(.*?)[ \t]*#*$/gm, '$1')
    .replace(/^[ \t]*(?:[-*_][ \t]*){3,}$/gm, '')
    .replace(/^[ \t]*(?:>[ \t]?)+/gm, '')
    .replace(/^[ \t]*[-*+][ \t]+/gm, '')
    .replace(/^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*(?:\|[ \t:-]*)*$/gm, '')
    .replace(/!\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .replace(/\[([^\]]+)\]\[([^\]]*)\]/g, (all, words: string, name: string) =>
      links.has((name || words).toLowerCase()) ? words : all,
    )
    .replace(/\*\*(?=\S)(.+?)\*\*/g, '$1')
    .replace(/(?<![\p{L}\p{N}_])__(?=\S)(.+?)__(?![\p{L}\p{N}_])/gu, '$1')
    .replace(/(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\p{L}\p{N}*])/gu, '$1')
    .replace(/`([^`\n]+)`/g, '$1')
