// @ts-check
// What `npm start` ranks: short encyclopedic passages, written for this demo, in the order they are given.

/** @type {readonly { query: string, passages: readonly string[] }[]} */
export const questions = [
  {
    query: 'Why do leaves turn yellow and red in autumn?',
    passages: [
      'Evergreen trees keep their leaves through the winter and drop them a few at a time.',
      'The autumn equinox, around 23 September, is when day and night are equally long.',
      'Maple syrup is boiled down from the sap of the sugar maple in early spring.',
      'Chlorophyll is the pigment with which plants catch the light for photosynthesis.',
      'In autumn a tree stops making chlorophyll; as the green pigment breaks down, yellow and red ones that it had hidden become visible.',
    ],
  },
  {
    query: '长城是为什么修建的？',
    passages: [
      '故宫位于北京市中心，是明清两代的皇宫，现为博物院。',
      '八达岭长城距北京市区约六十公里，每年接待数百万游客。',
      '大运河连接北京与杭州，是古代南北货物运输的水道。',
      '历代王朝修筑长城，主要是为了防御北方游牧民族的侵袭，并守卫边境的商路。',
      '长城并不能用肉眼从月球上看到，这是一个流传很广的误解。',
    ],
  },
  {
    query: 'เมืองหลวงของประเทศไทยคือเมืองใด',
    passages: [
      'เวียงจันทน์เป็นเมืองหลวงของประเทศลาว ตั้งอยู่ริมแม่น้ำโขง',
      'เชียงใหม่เป็นเมืองใหญ่ทางภาคเหนือของประเทศไทย ล้อมรอบด้วยภูเขา',
      'ต้มยำกุ้งเป็นอาหารไทยที่มีรสเปรี้ยวและเผ็ด',
      'กรุงเทพมหานครเป็นเมืองหลวงและเมืองที่มีประชากรมากที่สุดของประเทศไทย',
      'แม่น้ำเจ้าพระยาไหลจากภาคเหนือลงสู่อ่าวไทย',
    ],
  },
  {
    query: '富士山の高さは何メートルですか',
    passages: [
      '琵琶湖は滋賀県にある日本で最も大きい湖である。',
      '富士山の登山期間は七月から九月までで、多くの人が山頂で日の出を見る。',
      '北岳は南アルプスにあり、日本で二番目に高い山である。',
      '富士山は山梨県と静岡県にまたがる火山で、標高は3776メートル、日本の最高峰である。',
      '東京タワーは1958年に完成した電波塔で、高さは333メートルである。',
    ],
  },
  {
    query: 'ما هو أطول نهر في أفريقيا؟',
    passages: [
      'يقع جبل كليمنجارو في تنزانيا وهو أعلى جبل في أفريقيا.',
      'الصحراء الكبرى هي أكبر صحراء حارة في العالم.',
      'نهر الأمازون في أمريكا الجنوبية أغزر أنهار العالم ماء.',
      'نهر النيل هو أطول نهر في أفريقيا، ويبلغ طوله نحو 6650 كيلومترا.',
      'بحيرة فيكتوريا أكبر بحيرة في أفريقيا.',
    ],
  },
]
