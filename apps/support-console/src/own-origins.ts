const loopback = ['127.0.0.1', 'localhost', '[::1]']

/** What browsers call the console's pages: by its public URL; on loopback by the other loopback names too. */
export function ownOrigins(
  publicUrl: string,
  listening: string,
): { readonly origins: ReadonlySet<string>; readonly isSecure: boolean } {
  const shown = new URL(publicUrl)
  const origins = new Set([shown.origin])
  const { protocol, hostname, port } = new URL(listening)
  if (loopback.includes(hostname))
    for (const name of loopback) origins.add(new URL(`${protocol}//${name}:${port}`).origin)
  return { origins, isSecure: shown.protocol === 'https:' }
}
