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

/** Markdown as plain text: what marks structure goes, the words stay. Code is left as it is. */
export function plainMarkdown(source: string): string {
  const body = source.replaceAll('\r\n', '\n').replace(/^---\n[\s\S]*?\n---\n/, '')
  const parts = body.split(/^(```[\s\S]*?^```|~~~[\s\S]*?^~~~)/m)
  return parts.map((part, i) => (i % 2 === 1 ? withoutFences(part) : plainBlock(part))).join('')
}

const withoutFences = (code: string) => code.replace(/^(```|~~~).*\n?/gm, '')

const plainBlock = (text: string) =>
  text
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/^\s*\[[^\]]+\]:\s+\S+.*$/gm, '')
    .replace(/^(.+)\n(=+|-{3,})[ \t]*$/gm, '$1\n')
    .replace(/^#{1,6}[ \t]+(.*?)[ \t]*#*$/gm, '$1')
    .replace(/^[ \t]*(?:[-*_][ \t]*){3,}$/gm, '')
    .replace(/^[ \t]*(?:>[ \t]?)+/gm, '')
    .replace(/^[ \t]*[-*+][ \t]+/gm, '')
    .replace(/^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*(?:\|[ \t:-]*)*$/gm, '')
    .replace(/!\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])/g, '$1')
    .replace(/(\*\*|__)(?=\S)(.+?)\1/g, '$2')
    .replace(/(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\p{L}\p{N}*])/gu, '$1')
    .replace(/`([^`\n]+)`/g, '$1')
