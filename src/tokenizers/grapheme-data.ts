// Written by test/fixtures/tokenizers/make-grapheme-data.mjs from Unicode 17.0.

export const controlClass = {
  of: 'Zl Zp Cc Cf',
  but: `
a 2 16a-5 5z 1d ao-1 28 4kp-1 2f 185m-8 3b8 f i62a 1-71 6o-2rz`,
}

export const extendClass = {
  of: 'Mn Me',
  but: `
1xa o 9y o 2u o 6g 1 4-1 1-1 9-1 2v o 3b f 1th u pm-e 2-b 21 5 1 5-1 2t 1z-1 t4 36p-1 nxf 30 gyl-1
316-1 jo 38 7c e 9 2o 9 2 1-2 5 68 c 6p 7a hl c f6 1-2 1 re fxq-1 j8z-1 6-5 48g 2 7-1 5 2kl-4
gx7k-2n`,
}

export const spacingMarkClass = {
  of: 'Mc',
  but: `
1xa o 9y o 2u o 6g 1 4-1 1-1 9-1 2v o 3b f 2b 3j af-1 b 15-2 2-6 l 3-5 2 a-2 1a0 u mk 1-1 5s 5 1
5-1 2t 1z-1 3zu-1 nxf 30 56 1 kea 38 7c e 9 2o 9 2 1-2 5 68 c 6p 7a 2x-1 em c f7 3 1 rd fxq-1
j8z-1 6-5`,
}

export const prependClass = {
  of: '',
  but: `
16o-5 5z 1d ao-1 28 vf 1f8u f 6s-1 el 12l 1 8y-5 jg cb`,
}

export const linkerClass = {
  of: '',
  but: `
1u5 3j 73 3j 73 73 kr 1i0 i5 6b 2u s2c 8l itk 1df ik 12l 7c 29 x4`,
}

export const consonantClass = {
  of: '',
  but: `
1sl-10 u-7 o-7 l-j 1-6 1 3-3 y-1 1 g-1 4j-j 1-6 1-1 1-4 1r r-j 1-6 1-1 1-4 y-1 1 h 4j-j 1-f u-2
56-11 jp-16 k g-5 4-3 3 3-1 7-2 4-c c 1dd-1f h8-1g 52-1 6-w h-7 1i-t d-1 b-2 s0b-2 3-z 19-4 2-8
a-4 2p-f 1-2 6 3-1 2o-a 5x-q ilh f-3 1-2 1-s 1cd-z t 2 fs-9 1 2 1-11 11m-6 2 2-7 1-1 1-n 5s a-13 t
b-13 w0-c 1-x`,
}

export const pictographClass = {
  of: '',
  but: `
4p 4 68d c 60 m 2i-5 f-1 a7-1 c 4m p-a 4-2 5j 6f-1 a 9 1m-3 1-4 9 2 2-1 2 4 2 1-1 2 3 3-1 8-2 5 1
5-b b-1 2 1-1 1 i 2-1 i-5 1 1-1 3-1 5 2-1 4-1 b-1 5-1 2 5-1 1 1-1 k-1 5-5 1-3 2 4 2 2-5 1 2 1 1 6
3 6 a-1 f 2 4 1 4-2 1 b-1 1c-2 9 e e ac-1 cv-2 j-1 1f 4 yi c gp 1 2fze 13-3 2s-b f-1 f e-1 11-9
34-1 c-1 e 2-9 j-1j r-e a k 2-8 1-3 9-m 6-57 2-33 2-1 1-2 2-2a 2-2 1-3 5-71 1-1q b-5 1-n 7-1 2-7 c
2-3 2 4-1 d-1 2 8-1 9 5-2 c-2 8-2 2 1 4 6 3 6-2d 1c-1x 5-7 2-g 3 1-5 2-c 62-11 c-3 1k-7 a-5 14-7
u-1 c-3 2-d 9-12 c-1a 1-9 1-54 2g-7 e-41 74-sd`,
}
