"""Text for training the small tokenizers. All of it was written for this project."""

import random

ENGLISH = """
The giant panda is a bear species endemic to China, sometimes called a panda bear or simply panda.
Bamboo makes up nearly all of its diet, although a panda will eat eggs, fish or fruit when it can.
Is the passage relevant to the query? Yes. Is the answer in the passage? No. Yes or No?
Given a query and a passage, determine whether the passage contains an answer to the query.
Predict whether passage B contains an answer to query A. A: what is a panda? B: hello, how are you?
The capital of France is Paris, and the capital of Japan is Tokyo, a city of many millions.
Water boils at one hundred degrees at sea level, but it boils sooner on a high mountain.
The engine reads the weights from disk, copies them to the device and runs one layer after another.
She opened the window, listened to the rain for a while, and then went back to her book.
A search engine retrieves many documents quickly; a reranker orders the best of them with more care.
The recipe needs two cups of flour, a spoon of sugar, three eggs, butter, salt and a little milk.
Light travels faster than sound, which is why thunder is heard after the lightning is seen.
In the year 1869 a table of the elements was arranged by weight, and gaps were left for new ones.
The train from the north arrives at 7:45 and leaves again at 8:10 from platform number 12.
Trees take in carbon dioxide and give back oxygen; forests therefore change the air around them.
An integer that has exactly two divisors is called a prime: 2, 3, 5, 7, 11, 13, 17, 19, 23, 29.
The doctor asked how long the fever had lasted and whether anyone else in the family was ill.
Machine translation turns a sentence in one language into a sentence with the same meaning in another.
The river rises in the hills, crosses the plain, passes the old town and meets the sea in the west.
A contract is an agreement between parties which creates obligations that a court can enforce.
The children built a small boat of paper and watched it float down the stream behind the school.
Interest is paid on the money that remains, so a shorter loan usually costs less than a longer one.
The moon goes round the earth in about twenty-seven days and always shows us the same side.
Volcanoes form where molten rock finds a way through the crust; some of them sleep for centuries.
Please read the instructions before you start the machine, and keep your hands away from the blade.
The orchestra played the second symphony, and the audience stood up before the last note had ended.
To install the package, open a terminal, type the command, and wait until the prompt comes back.
The library is open from Monday to Friday between nine and six, and on Saturday until one o'clock.
Bees dance to tell one another where the flowers are, how far away they are and in which direction.
The history of writing begins with marks on clay that counted sheep, grain and jars of oil.
""".strip().split("\n")

OTHER = """
大熊猫是一种主要栖息于中国中部山区的熊科动物，以竹子为食。
什么是熊猫？熊猫是中国特有的一种熊，黑白相间，非常可爱。
今天的天气很好，我们一起去公园散步吧。你叫什么名字？我来自北京。
搜索引擎先找出很多文档，然后重排模型再给它们打分。问题与段落是否相关？是或否。
人工智能、机器学习和自然语言处理正在改变世界。请查询并回答以下问题。
東京は日本の首都で、たくさんの人が住んでいます。
パンダは竹を食べる動物です。これは何ですか。これは本です。
すみません、駅はどこですか。まっすぐ行って、右に曲がってください。
서울은 대한민국의 수도이며 한강이 도시를 가로질러 흐른다.
판다는 대나무를 먹고 사는 동물입니다. 이 문장은 질문과 관련이 있습니까?
안녕하세요. 오늘은 날씨가 아주 좋습니다. 고맙습니다.
الباندا العملاقة دب يعيش في الصين ويأكل الخيزران.
ما هي عاصمة مصر؟ القاهرة هي عاصمة مصر وأكبر مدنها.
السلام عليكم، كيف حالك اليوم؟ أريد أن أقرأ هذا الكتاب.
הפנדה הענקית היא דוב שחי בסין ואוכל במבוק.
מה שלומך היום? אני לומד עברית בבית הספר.
विशाल पांडा चीन में रहने वाला एक भालू है जो बाँस खाता है।
भारत की राजधानी नई दिल्ली है। आप कैसे हैं? मैं ठीक हूँ।
แพนด้ายักษ์เป็นหมีที่อาศัยอยู่ในประเทศจีนและกินไผ่
สวัสดีครับ วันนี้อากาศดีมาก คุณสบายดีไหม
Гигантская панда — медведь, который живёт в Китае и питается бамбуком.
Какая столица России? Москва — столица и крупнейший город страны.
Το γιγάντιο πάντα είναι μια αρκούδα που ζει στην Κίνα και τρώει μπαμπού.
Der Große Panda ist ein Bär, der in China lebt und sich von Bambus ernährt.
Die Straße führt über die Brücke; schöne Grüße aus Köln, Düsseldorf und Zürich.
Le panda géant est un ours qui vit en Chine et qui mange du bambou. Où êtes-vous né ?
L'été dernier, nous avons visité le château, la forêt et les îles près de la côte.
El oso panda gigante vive en China y come bambú. ¿Cuál es la capital de España? ¡Hola, señor!
O panda-gigante é um urso que vive na China; não há corações sem coração nem ação sem razão.
Il panda gigante è un orso che vive in Cina. Perché la città è così lontana? Più tardi.
Gấu trúc lớn là một loài gấu sống ở Trung Quốc và ăn tre. Thủ đô của Việt Nam là Hà Nội.
Panda dev gibi bir ayıdır; Çin'de yaşar ve bambu yer. İstanbul büyük bir şehirdir, değil mi?
Panda wielka to niedźwiedź żyjący w Chinach. Zażółć gęślą jaźń. Źródło jest blisko łąki.
Velký panda žije v Číně. Příliš žluťoučký kůň úpěl ďábelské ódy.
🐼 ❤️ 👍 😀 🎉 ✨ 🚀 👩‍👩‍👧 🇨🇳 👍🏽 emoji can be part of a query 🐼🐼
ﬁle ﬂow ① ② ½ ™ ℃ Ａ Ｂ Ｃ １ ２ ３ ｶﾅ “quoted” ‘single’ — dash … €100 £20 ¥500 50% 3.14 1,000
def score(query, passage): return model.forward([query, passage])[0]
for (let i = 0; i < n; i++) { sum += a[i] * b[i]; } // dot product
https://example.org/path/to/page?query=panda&lang=en#top user@example.com
SELECT id, title FROM docs WHERE score > 0.5 ORDER BY score DESC LIMIT 10;
""".strip().split("\n")

SUBJECTS = (
    "the student|a teacher|the old house|my brother|the company|our neighbour|a computer|the bear|the river|"
    "this method|the second model|every visitor|the driver|a scientist|the government|the song|the committee"
).split("|")
VERBS = (
    "explains|follows|changes|supports|reads|writes|remembers|describes|builds|moves|finds|contains|answers|"
    "crosses|improves|measures|replaces|discovers|protects|compares"
).split("|")
OBJECTS = (
    "the question|a long document|the final result|an important idea|the northern border|the price of bread|"
    "a different language|the main problem|several examples|the weather report|an ancient temple|the new road|"
    "the whole passage|some of the evidence|a simple rule|the temperature|the health of animals"
).split("|")
TAILS = (
    "in the morning|without any help|because of the rain|for the first time|with great care|after the war|"
    "near the station|under these conditions|before the meeting|as quickly as possible|at the end of the year|"
    "on the other hand|in several countries|according to the report|during the night"
).split("|")


def sentences(seed=0, templates=2500, repeat=12):
    """The whole corpus, shuffled: the lines above `repeat` times, and `templates` made-up sentences."""
    rnd = random.Random(seed)
    out = []
    for _ in range(repeat):
        out += ENGLISH + OTHER
    for _ in range(templates):
        s = " ".join(rnd.choice(x) for x in (SUBJECTS, VERBS, OBJECTS, TAILS))
        out.append(s[0].upper() + s[1:] + rnd.choice([".", "?", "!", f" {rnd.randrange(2000)}."]))
    out += ["Yes", "No", "Yes.", "No.", "Yes, it is.", "No, it is not."] * 40
    rnd.shuffle(out)
    return out
