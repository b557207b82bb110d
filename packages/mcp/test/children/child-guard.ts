// What the test gives a child: the public key of its tokens. A token for the subject `ada` is revoked when a file says so.
import { existsSync, watchFile } from 'node:fs'
import { createGuard, type Guard } from '@countersign/guard'
import { createVerifier, type PublicJwk, staticKeys } from '@countersign/tokens'

export const text = (words: string) => ({ content: [{ type: 'text' as const, text: words }] })

export function childGuard(): Guard<'code:read' | 'code:write'> {
  const { TEST_JWK = '', TEST_REVOKED = '' } = process.env
  const issuer = 'https://auth.example.com'
  const keys = staticKeys({ keys: [JSON.parse(TEST_JWK) as PublicJwk] })
  const verifier = createVerifier({ issuer, audience: 'coder', keys })
  return createGuard<'code:read' | 'code:write'>({
    verifier,
    issuer,
    revocations: {
      isRevoked: () => existsSync(TEST_REVOKED),
      onChange(call) {
        watchFile(TEST_REVOKED, { interval: 20, persistent: false }, () => call(undefined))
        return () => {}
      },
    },
  })
}
