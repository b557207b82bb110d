// Ends a test run with `N passed, N failed`, alone on the last line, which programs read.
// A file that fails to load counts as failed, and so does an error outside any test. No test at all is a failure.

export default class CountReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly unknown[]} strayErrors
   */
  onTestRunEnd(modules, strayErrors) {
    const counts = count(modules, strayErrors)
    if (counts.passed + counts.failed === 0) process.stderr.write('No test ran.\n')
    if (counts.passed === 0 || counts.failed > 0) process.exitCode = 1
    const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`)
  }
}

/**
 * @param {readonly import('vitest/node').TestModule[]} modules
 * @param {readonly unknown[]} strayErrors
 */
export function count(modules, strayErrors) {
  const counts = { passed: 0, failed: strayErrors.length, skipped: 0 }
  for (const module of modules) {
    let failedHere = 0
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') counts.passed++
      else if (state === 'skipped') counts.skipped++
      else failedHere++
    }
    // A file, or a hook around its tests, that failed without one failed test.
    if (failedHere === 0 && module.state() === 'failed') failedHere = 1
    counts.failed += failedHere
  }
  return counts
}
