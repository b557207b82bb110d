import { expect, it } from 'vitest'
import { run } from '../checks/doc-examples.mjs'
import { root } from './plant.ts'

const page = (code: string) => [{ path: 'docs/planted.md', text: `# Planted\n\n\`\`\`ts\n${code}\n\`\`\`\n` }]

it('takes an example that compiles', async () => {
  const code = "import { isRejection } from '@countersign/tokens'\n\nconsole.log(isRejection(new Error(token)))"
  await expect(run({ root, pages: page(code) })).resolves.toEqual([])
})

it('finds an example with a name that the package has not', async () => {
  const code = "import { isRejected } from '@countersign/tokens'\n\nconsole.log(isRejected(new Error()))"
  expect((await run({ root, pages: page(code) })).join('\n')).toMatch(/docs\.planted\.md\.ts.*isRejected/)
})
