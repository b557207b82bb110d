import { expect, it } from 'vitest'
import { showProgress } from '../src/progress.ts'

function run(isTTY: boolean, columns?: number): string[] {
  const written: string[] = []
  let now = 0
  const show = showProgress(
    { isTTY, ...(columns === undefined ? {} : { columns }), write: (text) => written.push(text) },
    () => now,
  )
  for (let done = 0; done <= 100; done += 10) {
    show({ done, of: 100 })
    now += 300
  }
  return written
}

it('is a bar on a terminal, that fits, and ends its line', () => {
  const bars = run(true, 40)
  expect(bars).toHaveLength(11)
  expect(bars[5]).toMatch(/^\r\[#+\.+\] 50\/100 rows, 50 %/)
  expect(bars.every((bar) => bar.replace('\u001b[K', '').trim().length <= 40)).toBe(true)
  expect(bars.at(-1)).toMatch(/^\r\[#+\] 100\/100 rows, 100 %.*\n$/)
})

it('is a line a second elsewhere, and the last one always', () => {
  expect(run(false)).toEqual([
    '0/100 rows, 0 %\n',
    '40/100 rows, 40 %\n',
    '80/100 rows, 80 %\n',
    '100/100 rows, 100 %\n',
  ])
})

it('is done when there is nothing to do', () => {
  const written: string[] = []
  showProgress({ write: (text) => written.push(text) }, () => 0)({ done: 0, of: 0 })
  expect(written).toEqual(['0/0 rows, 100 %\n'])
})
