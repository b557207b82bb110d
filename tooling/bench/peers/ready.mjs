// What every peer of the token endpoint says when it is ready, and how it ends.

/**
 * @param {{ close(): unknown }} server
 * @param {{ url: string } & Record<string, string>} told the token endpoint's URL and the form's fields
 */
export function ready(server, { url, ...fields }) {
  process.once('SIGTERM', () => {
    void Promise.resolve(server.close()).finally(() => process.exit(0))
  })
  const body = new URLSearchParams({ grant_type: 'client_credentials', scope: 'agents:read', ...fields }).toString()
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  process.stdout.write(`${JSON.stringify({ url, method: 'POST', headers, body })}\n`)
}
