import { KeysError } from '../keys-error.ts'

const loopback = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * The base of every request: `https:`, or `http:` to this machine (an agent's listener).
 *
 * @throws KeysError `vault_misconfigured`
 */
export function parseVaultAddress(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new KeysError('vault_misconfigured', 'address is not an https URL')
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new KeysError('vault_misconfigured', 'address must have no user, query or fragment')
  }
  if (url.protocol === 'http:' && !loopback.test(url.hostname)) {
    throw new KeysError('vault_misconfigured', `address is http to ${url.hostname}: use https beyond this machine`)
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

/**
 * Checks a mount, a path or a key name: segments that mean themselves in a URL.
 *
 * @param option named in the error
 * @throws KeysError `vault_misconfigured`
 */
export function checkVaultPath(path: string, option: string): string {
  const segments = typeof path === 'string' ? path.split('/') : ['']
  if (path.length > 512 || !segments.every((one) => /^[\w][\w.@=-]*$/.test(one))) {
    throw new KeysError(
      'vault_misconfigured',
      `${option} must be segments of letters, digits and -_.@= between slashes`,
    )
  }
  return path
}

/** A namespace may end in a slash. @throws KeysError `vault_misconfigured` */
export function checkNamespace(namespace: string): string {
  checkVaultPath(namespace.replace(/\/$/, ''), 'namespace')
  return namespace
}
