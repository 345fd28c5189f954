"""The texts for embedders. The first `QUERIES` are the queries; the passages are all of them."""

from pairs import PARAGRAPH

QUERIES = 16


def texts():
    """Pairs of id and text."""
    return [
        ("panda-q", "what is panda?"),
        ("capital-q", "what is the capital of France"),
        ("one-token", "a"),
        ("empty", ""),
        ("chinese-q", "什么是熊猫？"),
        ("japanese-q", "パンダとは何ですか"),
        ("arabic-q", "ما هو الباندا؟"),
        ("hindi-q", "पांडा क्या है?"),
        ("russian-q", "Что такое панда?"),
        ("german-q", "Wie groß ist ein Pandabär?"),
        ("upper-q", "WHAT IS PANDA?"),
        ("spaces-q", "  what   is  panda? \n"),
        ("special-q", "what is [SEP] and </s> and <mask>?"),
        ("emoji-q", "🐼🐼?"),
        ("long-q", PARAGRAPH * 2),
        ("code-q", "how do I sort a list in Python?"),
        ("panda", "The giant panda is a bear species endemic to China."),
        ("panda-long", PARAGRAPH),
        ("paris", "Paris is the capital and largest city of France."),
        (
            "unrelated",
            "Interest is paid on the money that remains, so a shorter loan usually costs less.",
        ),
        ("chinese", "大熊猫是一种主要栖息于中国中部山区的熊科动物，以竹子为食。"),
        ("japanese", "ジャイアントパンダは中国に住むクマの一種で、竹を食べます。"),
        ("korean", "판다는 대나무를 먹고 사는 동물입니다."),
        ("arabic", "الباندا العملاقة دُبٌّ يعيش في الصِّين ويأكل الخيزران."),
        ("hebrew", "הפנדה הענקית היא דוב שחי בסין."),
        ("hindi", "विशाल पांडा चीन में रहने वाला एक भालू है।"),
        ("thai", "แพนด้ายักษ์เป็นหมีที่อาศัยอยู่ในประเทศจีนและกินไผ่"),
        ("russian", "Большая панда — медведь, живущий в Китае."),
        ("greek", "Το γιγάντιο πάντα είναι μια αρκούδα. ΣΑΣ"),
        ("accents", "Crème brûlée, naïve café, İstanbul, Straße"),
        ("combining", "cafe\u0301 na\u0308ive \u0928\u093f"),
        ("full-width", "ＷＨＡＴ　ｉｓ　ｐａｎｄａ？ １２３"),
        ("controls", "a\x00b\x01c\ufeff\u200bd\u00ade"),
        ("spaces-only", " \u3000 "),
        ("newlines", "line one\nline two\n\n\tindented\r\nend"),
        ("numbers", "3.14159 1,000,000 -42 2024-01-31 12:34:56 ½ 50%"),
        ("code", "def f(xs):\n    return sorted(xs, key=lambda x: -x[0])\n"),
        ("url", "https://example.org/?q=panda&lang=en#top"),
        ("punctuation", "???!!!... --- «» “”"),
        ("repeated", "bamboo bamboo bamboo bear bamboo"),
        ("long-word", "panda" * 60),
        ("very-long", PARAGRAPH * 6),
        ("very-long-chinese", "大熊猫是一种主要栖息于中国中部山区的熊科动物。" * 40),
    ]
