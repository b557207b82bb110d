import { describe, expect, it } from 'vitest'
import { renderBenchPage } from '../bench-page.mjs'
import { run } from '../checks/bench-page.mjs'
import { plant } from './plant.ts'

const about = { node: '24.1.0', machine: { cpu: 'a processor', cores: 2 } }
const rated = {
  name: 'rated',
  ...about,
  ratio_to: 'bare',
  cases: [
    { name: 'ours', ops_per_s: { median: 12_345.6, min: 1, max: 2 }, ratio: 0.987, more: { cpu_us: 81.26 } },
    { name: 'bare', ops_per_s: { median: 12.34, min: 1, max: 2 }, ratio: 1 },
  ],
  targets: [
    { what: 'ours ÷ bare', least: 0.9, got: 0.987, met: true },
    { what: 'size', least: 1, most: 2, got: 345.6, met: false },
  ],
}
const valued = { name: 'valued', ...about, cases: [{ name: 'bytes', value: 25.256, unit: 'B' }] }
const results = {
  'tooling/bench/results/rated.json': JSON.stringify(rated),
  'tooling/bench/results/valued.json': JSON.stringify(valued),
}
const page = `# Page

<!-- bench: rated -->
old
<!-- /bench -->

Prose.

<!-- bench: valued -->
<!-- /bench -->
`

describe('the page of the benchmarks', () => {
  it('shows what was recorded, and whether it is what was wanted', () => {
    expect(renderBenchPage(plant(results), page)).toBe(`# Page

<!-- bench: rated -->

\`node tooling/bench/run.mjs rated\`, Node 24.1.0, 2 cores of a processor:

|  | per second | ÷ bare | CPU µs |
| --- | ---: | ---: | ---: |
| \`ours\` | 12,346 | 0.99 | 81.3 |
| \`bare\` | 12.3 | 1.00 |  |

- Met: ours ÷ bare at least 0.9; it is 0.987.
- **Missed**: size at least 1 and at most 2; it is 346.

<!-- /bench -->

Prose.

<!-- bench: valued -->

\`node tooling/bench/run.mjs valued\`, Node 24.1.0, 2 cores of a processor:

|  |  |
| --- | ---: |
| \`bytes\` | 25.3 B |

<!-- /bench -->
`)
  })

  it('is stale once something else was recorded, and may not show what was not', async () => {
    const folder = plant({ ...results, 'docs/explanation/performance.md': page })
    await expect(run({ root: folder })).resolves.toHaveLength(1)
    const fresh = renderBenchPage(folder, page)
    await expect(run({ root: plant({ ...results, 'docs/explanation/performance.md': fresh }) })).resolves.toEqual([])
    await expect(run({ root: plant({ 'docs/explanation/performance.md': page }) })).rejects.toThrow(
      'no recorded result',
    )
  })
})
