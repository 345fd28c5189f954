/**
 * Random 32-bit integers from a seed: the generator sfc32 of PractRand (Chris Doty-Humphrey), whose shortest period is
 * 2^32 and average one 2^127.
 */
export function randomIntegers(seed: number): () => number {
  let a = seed | 0
  let b = 0x9e3779b9 | 0
  let c = 0x243f6a88 | 0
  let counter = 1
  const next = () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  // The first numbers of near seeds are alike.
  for (let i = 0; i < 16; i++) next()
  return next
}
