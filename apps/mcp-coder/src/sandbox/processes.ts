import { readdir, readFile } from 'node:fs/promises'

export interface Footprint {
  readonly processes: number
  readonly memoryBytes: number
}

const pageBytes = 4_096

/**
 * The process and its descendants: how many, and their resident memory. Counts on only to `most`. What ends meanwhile
 * counts for nothing; in a process namespace whatever loses its parent becomes a child of the first process.
 */
export async function footprintOf(pid: number, most: number): Promise<Footprint> {
  let processes = 0
  let memoryBytes = 0
  let generation = [pid]
  while (generation.length > 0 && processes <= most) {
    const found = await Promise.all(generation.slice(0, most + 1).map(lookAt))
    processes += generation.length
    memoryBytes += found.reduce((sum, one) => sum + one.memoryBytes, 0)
    generation = found.flatMap((one) => one.children)
  }
  return { processes, memoryBytes }
}

async function lookAt(pid: number): Promise<{ readonly memoryBytes: number; readonly children: readonly number[] }> {
  try {
    const [statm, threads] = await Promise.all([readFile(`/proc/${pid}/statm`, 'utf8'), readdir(`/proc/${pid}/task`)])
    const lists = await Promise.all(
      threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
    )
    const children = lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
    return { memoryBytes: Number(statm.split(' ')[1]) * pageBytes, children }
  } catch {
    return { memoryBytes: 0, children: [] }
  }
}
