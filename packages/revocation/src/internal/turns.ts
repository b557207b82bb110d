/** Lets everything else that waits have its turn, in the midst of long work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}
