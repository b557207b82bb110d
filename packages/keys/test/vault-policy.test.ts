import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { policies } from './vault-world.ts'

// Every other test of Vault runs with this policy, so that the one in the guide is enough, and no more than is used.
it('is the policy that the guide shows', async () => {
  const guide = await readFile(join(import.meta.dirname, '../../../docs/how-to/keep-keys-in-vault.md'), 'utf8')
  const shown = [...guide.matchAll(/^path "([^"]+)"\s*\{ capabilities = (\[[^\]]+\]) \}$/gm)]
  expect(Object.fromEntries(shown.map(([, path = '', list = '']) => [path, JSON.parse(list)]))).toEqual(
    policies['token-service'],
  )
})
