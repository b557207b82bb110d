/** What a browser would send back: each cookie once, the last value of a name, none that was cleared. */
export function cookieJar() {
  const jar = new Map<string, string>()
  return {
    keep(response: Response) {
      for (const line of response.headers.getSetCookie()) {
        const pair = line.split(';', 1)[0] ?? ''
        const at = pair.indexOf('=')
        const value = pair.slice(at + 1)
        if (value === '') jar.delete(pair.slice(0, at))
        else jar.set(pair.slice(0, at), value)
      }
    },
    header: () => [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
  }
}
