// A file that was dropped on a page that takes none: Imports takes it.
let waiting: File | undefined

export const leave = (file: File): void => void (waiting = file)
export function pickUp(): File | undefined {
  const file = waiting
  waiting = undefined
  return file
}
