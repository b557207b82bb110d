import { refuse } from './runner-refused.ts'

/** Longest body of a request, in bytes. */
const longestBody = 16_384

const mostParameters = 16

async function readText(request: Request): Promise<string> {
  const reader = request.body?.getReader()
  if (reader === undefined) return ''
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    length += value.length
    if (length > longestBody) {
      await reader.cancel()
      return refuse('invalid_request', `The body has more than ${longestBody} bytes.`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** The parameters of a form (RFC 6749 section 3.2): each once, at most 16. */
export async function readForm(request: Request): Promise<ReadonlyMap<string, string>> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (request.method !== 'POST' || type !== 'application/x-www-form-urlencoded') {
    return refuse('invalid_request', 'The request is not a form that was posted.')
  }
  const text = await readText(request).catch((cause: unknown) => {
    if (cause instanceof TypeError) return refuse('invalid_request', 'The body is not UTF-8.', { cause })
    throw cause
  })
  const form = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (form.has(name)) refuse('invalid_request', 'A parameter was sent twice.')
    form.set(name, value)
    if (form.size > mostParameters) refuse('invalid_request', `There are more than ${mostParameters} parameters.`)
  }
  return form
}
