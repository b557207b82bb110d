// What a run of Stryker comes to: noticed mutants of all that could be tested, by file and in all.

/** @typedef {{ fileName: string, status: string }} Mutant */

/** Mutants that do not compile or were left out say nothing about the tests. @param {Mutant} mutant */
export function isConsidered({ status }) {
  return status === 'Killed' || status === 'Timeout' || status === 'Survived' || status === 'NoCoverage'
}

/**
 * What of an earlier run still holds if nothing has changed that Stryker can see. Of a change that every test reaches it
 * does not see that there are new tests now.
 *
 * @param {{ status: string, static?: boolean }} mutant
 */
export function mayBeKept(mutant) {
  return !(mutant.static === true && mutant.status === 'Survived')
}

/**
 * @param {readonly Mutant[]} mutants
 * @returns {{ file: string, mutants: number, noticed: number, survived: number, uncovered: number, score: number }[]}
 *   by file, and `all` at the end
 */
export function scoreOf(mutants) {
  const files = [...new Set(mutants.map(({ fileName }) => fileName))].toSorted()
  return [...files, 'all'].map((file) => {
    const own = mutants.filter(({ fileName }) => file === 'all' || fileName === file)
    const count = (/** @type {string[]} */ ...statuses) => own.filter(({ status }) => statuses.includes(status)).length
    const noticed = count('Killed', 'Timeout')
    return {
      file: file.replace(/^.*\/src\//, ''),
      mutants: own.length,
      noticed,
      survived: count('Survived'),
      uncovered: count('NoCoverage'),
      score: own.length === 0 ? 100 : (noticed * 100) / own.length,
    }
  })
}

/** @param {ReturnType<typeof scoreOf>} files */
export function table(files) {
  const rows = [
    ['file', '%', 'mutants', 'survived', 'uncovered'],
    ...files.map(({ file, score, mutants, survived, uncovered }) =>
      [file, score.toFixed(1), mutants, survived, uncovered].map(String),
    ),
  ]
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) =>
      row.map((text, at) => (at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0))).join('  '),
    )
    .join('\n')
}
