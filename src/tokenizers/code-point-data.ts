// Written by test/fixtures/tokenizers/make-code-point-data.mjs from Unicode 17.0 and tokenizers 0.23.3.

export const punctuationClass = {
  of: 'P',
  but: `
10 6 g-2 v 1 r 1 13y rj 3c e8 c 1yg yo-1 19-2 3pf-c 2-b 1828 8u 4n-4 18-3 fz ei-1 1-1 36-4 a-1 1
ea-c 24 ap 7c-2 4b 2k-7 2b-2 1-4 2l-9 5z 2n-4 16-1 hx-1 22-c 4v 35d-1 c56-2 87-3 93 nbw ny-1`,
}

export const removedClass = {
  of: 'Cc Cf Co',
  but: `
9-1 2 1oi-1 28 1ct6 3bj 6zm-f`,
}

export const chineseClass = {
  of: '',
  but: `
a9s-533 1s-g73 hkw-e7 1fk0-wyn w-3dr 74-49b 85s-f3`,
}

export const nonspacingMarkClass = {
  of: 'Mn',
  but: `
1kt 49-8 16-n 7w 6z-5 2d 4u 1j 5f 1m-1 1w 8o j 1np 62 39-1 fs-f mf-5 rao 48 1l 59 jmu-3 1t-4 8t-1
27-3 1y-a 1d-3 6i 2-1 25 7a 5 32 2 6x 3j-5 d 1 1 e-1 2d-7 2-2 1 n jj 7k-8 1-1 74-1 1 4 40-3 2-1 4
w-9 14-5 2-3 8 9-5 2-2 1a-c 1-1 ba-6 1-5 1 2a-l 2-6 1-1 1-1 3e-5 3 1-1 1-6 1 20-1 3 1 9n-1 b-1
1g-4 5 1 n 44l 6-e 8ug-b 3-2 2sf 44 isb-19 2-m 3ax-6 1-g 2-6 1-1 1-4 2s 4g-6 af 1p-3 e4-3 72-1
no-6`,
}

export const markClass = {
  of: 'M',
  but: `
1kt 49-8 16-9 8a 6z-5 2d 4u 1j 52 c 1m-1 1w 8o j 1mu 6x j3-f f7-1 3 72-4 rap 5u js4-3 1t-4 8t-1
27-3 1y-a 1d-3 6i 2-1 25 3m-1 3m 4-1 35 6x 3g-8 1 2 1-3 1-4 1 e-1 3f r1-e 6t-5 1-1 2-3 1 1-1 3x-6
2-6 3 s-9 14-6 1-3 8 9-a 1a-f if-5 3 1-1 1-6 1 1u-4 1-1 1-4 9n-3 9-1 1 1c-6 3-4 n 44l 6-e 8ug-h
2sf 1b-8 2k b-1 iry-19 2-m 3ew 4g-6 af 1p-3 e4-3 72-1`,
}

export const notNormalizedClass = {
  of: '',
  but: `
1kt 49-8 16-9 8a fx 72-1 al 1ne q1-u 2-b lm-4 45g n3l-3 1j n0 hun 8 7 9 bg-4 1-15 1-8 12h-3 1t-4
8t-1 25-1 1-2 1y-a 1d-3 6i ju 1y-3 5 2 1-1 1c 2 1-1 5-2 3x re-1 6y 2 4-1 4 4c 2b i 29 iw 1-1 29
bt-1 d0b 2-8 5 2er 3-3 hx-1 ick-z 3sm-1p x 4g-6 af 1p-3 e4-3 72-1 6r 2 7-1 5 22e 22r-9`,
}

export const wordClass = {
  of: 'L M Nd Nl Pc',
  but: `
6bw-1 x4-1f 2ix2-p 6-p 6-p`,
}

export const numericClass = {
  of: 'N',
  but: `
1kgw-9 g7e-2`,
}

export const regexWordClass = {
  of: 'L M Nd Nl Pc',
  but: `
4y-1 5 2-2 73r-1f 2ix2-p 6-p 6-p`,
}
