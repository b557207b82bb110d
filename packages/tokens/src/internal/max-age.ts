/**
 * Seconds that an answer stays fresh (RFC 9111 sections 4.2 and 5.2.2), by its `Cache-Control` and `Age`.
 *
 * @returns `undefined` when the answer does not say; 0 for `no-store` and `no-cache`
 */
export function freshSeconds(cacheControl: string | undefined, age: string | undefined): number | undefined {
  const directives = (cacheControl ?? '')
    .toLowerCase()
    .split(',')
    .map((directive) => directive.trim())
  if (directives.includes('no-store') || directives.includes('no-cache')) return 0
  for (const directive of directives) {
    const seconds = /^max-age="?(\d{1,10})"?$/.exec(directive)?.[1]
    if (seconds === undefined) continue
    const spent = /^\d{1,10}$/.test(age ?? '') ? Number(age) : 0
    return Math.max(0, Number(seconds) - spent)
  }
  return undefined
}
