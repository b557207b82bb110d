type Undo = () => Promise<void>

/** What was opened, closed again in reverse order, each even if another fails; the first failure is thrown at the end. */
export interface UndoStack {
  push(undo: Undo): void
  /** Any number of times; does its work once. */
  undo(): Promise<void>
}

export function createUndoStack(): UndoStack {
  const stack: Undo[] = []
  let done: Promise<void> | undefined
  const run = async (): Promise<void> => {
    const failures: unknown[] = []
    for (let undo = stack.pop(); undo !== undefined; undo = stack.pop()) {
      try {
        await undo()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
  return {
    push: (undo) => {
      stack.push(undo)
    },
    undo: () => {
      done ??= run()
      return done
    },
  }
}
