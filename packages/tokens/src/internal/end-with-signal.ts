import type { DocumentAnswer, DocumentRequest, FetchDocument } from '../fetch-contract.ts'

/**
 * Reads, and ends when the signal says so. A client may not heed it: Node's has nothing left to end after an answer that
 * switches protocols, and one that an adopter passes may not look at it. Whoever waits must not wait for ever.
 */
export function endWithSignal(fetchDocument: FetchDocument, request: DocumentRequest): Promise<DocumentAnswer> {
  return new Promise((resolve) => {
    const stop = (): void => resolve({ ok: false, reason: 'network' })
    if (request.signal.aborted) stop()
    request.signal.addEventListener('abort', stop)
    fetchDocument(request).then(resolve, stop)
  })
}
