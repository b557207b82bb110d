/** W3C Trace Context: version, trace id, parent id, flags; later versions may go on after a hyphen. */
const traceparentShape = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-|$)/

/** The trace id of the first value that is a `traceparent`. */
export function traceIdOf(...values: readonly (string | null | undefined)[]): string | undefined {
  for (const value of values) {
    if (typeof value !== 'string' || value.length > 512) continue
    const id = traceparentShape.exec(value)?.[1]
    if (id !== undefined && !/^0+$/.test(id)) return id
  }
  return undefined
}
