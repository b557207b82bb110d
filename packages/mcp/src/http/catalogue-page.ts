import type { Access, CatalogueEntry } from '../access.ts'
import { jsonAnswer } from './answers.ts'

/** The catalogue as JSON, or as a page for who prefers one. */
export function catalogueAnswer(
  accept: string | undefined,
  resource: string,
  entries: readonly CatalogueEntry[],
): Response {
  if (!/\btext\/html\b/.test(accept ?? '')) return jsonAnswer(200, {}, { resource, entries })
  const rows = entries.map(
    ({ kind, name, title, description, access }) =>
      `<tr><td>${kind}</td><td><code>${quoted(name)}</code></td><td>${quoted(description ?? title ?? '')}</td>` +
      `<td>${describe(access)}</td></tr>`,
  )
  const page =
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Catalogue</title>' +
    `<h1>${quoted(resource)}</h1><table><thead><tr><th>kind</th><th>name</th><th>description</th>` +
    `<th>takes</th></tr></thead><tbody>${rows.join('')}</tbody></table></html>\n`
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
  }
  return new Response(page, { status: 200, headers })
}

function describe(access: Access): string {
  if (access === 'public') return 'nothing'
  if (access === 'token') return 'any accepted token'
  return access.map((scope) => `<code>${quoted(scope)}</code>`).join(' ')
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function quoted(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => escapes[character] ?? '')
}
