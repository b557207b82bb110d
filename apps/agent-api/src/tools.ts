import { createHash } from 'node:crypto'
import { Problem } from '@countersign-apps/kit'
import { z } from 'zod'

/** A function of its input and nothing else: no file, no network, no state. */
interface Tool {
  readonly name: string
  readonly description: string
  /** JSON Schema of what it takes. */
  readonly input: unknown
  run(input: unknown): unknown
}

function tool<Input>(
  name: string,
  description: string,
  schema: z.ZodType<Input>,
  work: (input: Input) => unknown,
): Tool {
  const { $schema: _dialect, ...input } = z.toJSONSchema(schema)
  return { name, description, input, run: (given) => work(Problem.parse(schema, given)) }
}

const text = z.strictObject({ text: z.string().max(8192) })

const tools: readonly Tool[] = [
  tool('count-words', 'Counts words and characters.', text, ({ text: given }) => ({
    words: given.trim() === '' ? 0 : given.trim().split(/\s+/).length,
    characters: given.length,
  })),
  tool('sha-256', 'Hashes text, in hexadecimal.', text, ({ text: given }) => ({
    hash: createHash('sha256').update(given).digest('hex'),
  })),
  tool(
    'sum',
    'Adds numbers.',
    z.strictObject({ numbers: z.array(z.number().min(-1e9).max(1e9)).max(1000) }),
    ({ numbers }) => ({ sum: numbers.reduce((sum, number) => sum + number, 0) }),
  ),
]

const byName: ReadonlyMap<string, Tool> = new Map(tools.map((each) => [each.name, each]))

export function listTools(): readonly Pick<Tool, 'name' | 'description' | 'input'>[] {
  return tools.map(({ name, description, input }) => ({ name, description, input }))
}

/** @throws Problem `not_found`, `invalid_request` */
export function runTool(name: string, input: unknown): unknown {
  const found = byName.get(name)
  if (found === undefined) throw new Problem('not_found', 'There is no such tool.')
  return found.run(input)
}
