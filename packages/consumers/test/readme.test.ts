import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { checkConsumers, defineConsumers, renderMatrix } from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it('shows an example in its README that runs', () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const body = example.replace(/^import .*$/m, '').replace('export const', 'const')
  const printed: string[] = []
  const quiet = { log: (text: string) => printed.push(text), warn: (text: string) => printed.push(text) }
  new Function('checkConsumers', 'defineConsumers', 'renderMatrix', 'console', body)(
    checkConsumers,
    defineConsumers,
    renderMatrix,
    quiet,
  )
  expect(printed.at(-1)).toContain('| `agent-api` | `billing-worker` | `jobs:run` | delegation |')
})
