import type { Fleet } from '../fleet.ts'
import { get } from '../http.ts'
import { expectThat, type Step } from '../walk.ts'

/** The sum of a counter's series whose labels all match. */
function total(text: string, name: string, ...labels: readonly string[]): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

export const metrics: readonly Step<Fleet>[] = [
  {
    name: 'the metrics counted it',
    async run({ addresses }) {
      const { status, body } = await get(addresses.metrics)
      expectThat(status === 200, `${status} came back`)
      const issued = total(body, 'countersign_token_issued_total', 'result="ok"')
      const reuse = /^countersign_refresh_reuse_detected_total (\d+)/m.exec(body)?.[1]
      expectThat(issued > 0, 'no token was counted')
      expectThat(reuse === '1', `refresh reuse was counted ${reuse} times`)
      return `${issued} tokens issued, 1 refresh token reused`
    },
  },
]
