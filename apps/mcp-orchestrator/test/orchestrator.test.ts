import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, connect, startTestFleet, type TestFleet } from './fleet.ts'

let fleet: TestFleet
beforeAll(async () => {
  fleet = await startTestFleet()
})
afterAll(() => fleet.close())

describe('a task', () => {
  it('is run at the coder, in the name of whoever asked', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const report = await ask(client, 'run_task', {
      goal: 'greet',
      steps: [
        { do: 'write', path: 'hello.sh', text: 'echo hello $1\n' },
        { do: 'run', argv: ['sh', 'hello.sh', 'Ada'] },
        { do: 'read', path: 'hello.sh' },
        { do: 'search', query: 'hello' },
        { do: 'list' },
        { do: 'remove', path: 'hello.sh' },
      ],
    })
    expect(report).toMatchObject({ state: 'done', steps: { length: 6 } })
    expect(report.steps[1].answer).toMatchObject({ exit_code: 0, stdout: 'hello Ada\n' })
    await client.close()
      fleet.lines('coder').slice(-8),
      fleet.lines('orchestrator').slice(-4),
      await fleet.audited('token.exchange'),
    )
  })
})
