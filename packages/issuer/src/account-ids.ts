/** Of the random half of an id, 128 bits in base64url. */
const randomLength = 22
const clientPrefix = 'client_'
const userPrefix = 'user_'

/** One that this issuer makes. Whom another issuer names has a colon in the id, so nobody is two. */
export function isClientId(id: string): boolean {
  return id.length === clientPrefix.length + randomLength && id.startsWith(clientPrefix)
}

export function isUserId(id: string): boolean {
  return id.length === userPrefix.length + randomLength && id.startsWith(userPrefix)
}

/** Of somebody whom another issuer vouches for, after the name that its verifier was declared with. */
export function isForeignId(id: string): boolean {
  return id.includes(':')
}
