import { describe, expect, it } from 'vitest'
import { run } from '../checks/import-direction.mjs'
import { plant } from './plant.ts'

const allowed: [why: string, file: string, text: string][] = [
  ['keys signs with tokens', 'packages/keys/src/a.ts', "import { signAccessToken } from '@countersign/tokens'"],
  ['storage takes port types', 'packages/storage/src/a.ts', "import type { UserStore } from '@countersign/issuer'"],
  [
    'storage takes types one by one',
    'packages/storage/src/a.ts',
    "import { type UserStore } from '@countersign/issuer'",
  ],
  [
    'observability takes event types',
    'packages/observability/src/a.ts',
    "export type { E } from '@countersign/issuer'",
  ],
  ['the command line takes anything', 'packages/cli/src/a.ts', "import { x } from '@countersign/server'"],
  ['an app takes another app', 'apps/tour/src/a.ts', "import { x } from '@countersign-apps/agent-api'"],
  ['own files by relative paths', 'packages/keys/src/deep/a.ts', "import { b } from '../b.ts'"],
]

const refused: [why: string, file: string, text: string, words: string][] = [
  [
    'tokens imports a database',
    'packages/tokens/src/a.ts',
    "import { x } from '@countersign/storage/sqlite'",
    'no arrow',
  ],
  ['tokens re-exports keys', 'packages/tokens/src/a.ts', "export { x } from '@countersign/keys'", 'no arrow'],
  ['tokens loads keys at run time', 'packages/tokens/src/a.ts', "await import('@countersign/keys')", 'no arrow'],
  [
    'guard takes a consumer by name',
    'packages/guard/src/a.ts',
    "import type { C } from '@countersign/consumers'",
    'no arrow',
  ],
  [
    'a type hides in an expression',
    'packages/guard/src/a.ts',
    "type C = import('@countersign/consumers').C",
    'no arrow',
  ],
  [
    'storage calls its owner',
    'packages/storage/src/a.ts',
    "import { check } from '@countersign/issuer'",
    'types of issuer only',
  ],
  ['storage mixes', 'packages/storage/src/a.ts', "import { type A, b } from '@countersign/keys'", 'types of keys only'],
  [
    'storage imports for the effect',
    'packages/storage/src/a.ts',
    "import {} from '@countersign/keys'",
    'types of keys only',
  ],
  [
    'observability calls',
    'packages/observability/src/a.ts',
    "export * from '@countersign/issuer'",
    'types of issuer only',
  ],
  [
    'express calls tokens',
    'packages/express/src/a.ts',
    "import { isRejection } from '@countersign/tokens'",
    'types of tokens only',
  ],
  ['a package knows an app', 'packages/server/src/a.ts', "import { x } from '@countersign-apps/tour'", 'know no app'],
  ['sources of another package', 'packages/keys/src/a.ts', "import { x } from '../../tokens/src/claims.ts'", 'leaves'],
  ['itself by name', 'packages/keys/src/a.ts', "import { x } from '@countersign/keys/file'", 'relative'],
  ['a package that nobody placed', 'packages/unheard-of/src/a.ts', 'export {}', 'not in the table'],
]

describe('direction of imports', () => {
  it.each(allowed)('lets through: %s', (_why, file, text) => {
    expect(run({ root: plant({ [file]: text }) })).toEqual([])
  })

  it.each(refused)('finds: %s', (_why, file, text, words) => {
    expect(run({ root: plant({ [file]: text }) })).toEqual([expect.stringContaining(words)])
  })
})
