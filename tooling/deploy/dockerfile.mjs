// Reads a Dockerfile as far as ours goes: instructions with their arguments, stage by stage.

/**
 * @typedef {object} Instruction
 * @property {string} name in capitals
 * @property {string} text what comes after it, joined where the line goes on
 * @property {number} line where it begins
 */

/**
 * @typedef {object} Stage
 * @property {string} image with arguments filled in
 * @property {string | undefined} name
 * @property {readonly Instruction[]} instructions without FROM
 */

/** @param {string} text @returns {readonly Instruction[]} */
export function instructionsOf(text) {
  /** @type {Instruction[]} */
  const found = []
  let open = false
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const last = found.at(-1)
    const rest = line.replace(/\\$/, '')
    if (open && last !== undefined) last.text = `${last.text} ${rest.trim()}`
    else {
      const [, name = '', argument = ''] = /^([A-Z]+)\s+(.*)$/.exec(rest) ?? []
      if (name === '') throw new Error(`line ${index + 1} is no instruction: ${line}`)
      found.push({ name, text: argument.trim(), line: index + 1 })
    }
    open = line.endsWith('\\')
  }
  return found
}

/** @param {string} text @returns {readonly Stage[]} */
export function stagesOf(text) {
  /** @type {Record<string, string>} */
  const args = {}
  /** @type {(Stage & { instructions: Instruction[] })[]} */
  const stages = []
  for (const instruction of instructionsOf(text)) {
    const { name, text: argument } = instruction
    const stage = stages.at(-1)
    if (name === 'FROM') {
      const [, image = '', as] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(argument) ?? []
      const filled = image.replace(/\$\{(\w+)\}/g, (_, key) => args[key] ?? '')
      stages.push({ image: filled, name: as, instructions: [] })
    } else if (stage === undefined) {
      const [key = '', value = ''] = argument.split('=')
      args[key] = value
    } else stage.instructions.push(instruction)
  }
  return stages
}

/** The variables of ENV instructions. @param {Stage} stage @returns {Record<string, string>} */
export function environmentOf(stage) {
  const pairs = stage.instructions
    .filter(({ name }) => name === 'ENV')
    .flatMap(({ text }) =>
      text.split(/\s+/).map((pair) => [pair.split('=')[0] ?? '', pair.split('=').slice(1).join('=')]),
    )
  return Object.fromEntries(pairs)
}

/** The last instruction of a name, as its list of words. @param {Stage} stage @param {string} name @returns {string[]} */
export function wordsOf(stage, name) {
  const text = stage.instructions.findLast((one) => one.name === name)?.text ?? ''
  const list = text.slice(text.indexOf('['))
  return text.includes('[') ? JSON.parse(list) : text.split(/\s+/)
}
