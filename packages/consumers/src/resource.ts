import { ConsumersError } from './errors.ts'

const maxLength = 512
const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * Checks the URL of a resource (RFC 8707 section 2, RFC 9728 section 1.2).
 * @returns the form that two spellings of the same resource share
 */
export function parseResource(resource: string, path: string): string {
  const refuse = (why: string): never => {
    throw new ConsumersError('invalid_resource', path, why)
  }
  if (resource.length > maxLength) refuse(`expected at most ${maxLength} characters`)
  if (!URL.canParse(resource)) refuse('expected an absolute URL')
  const url = new URL(resource)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback.test(url.hostname))) {
    refuse('expected https, or http on loopback')
  }
  if (url.username !== '' || url.password !== '') refuse('expected no credentials')
  if (resource.includes('?') || resource.includes('#')) refuse('expected neither query nor fragment')
  const canonical = url.href.replace(/\/$/, '')
  // Clients compare the resource as text, so only the spelling that every parser leaves alone is accepted.
  if (resource.replace(/\/$/, '') !== canonical) refuse(`expected the canonical spelling ${canonical}`)
  return canonical
}
