"""The default list of query/passage cases. Every case may carry its own settings."""

PARAGRAPH = (
    "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda, is a bear species endemic "
    "to China. It lives in a few mountain ranges, mainly in the province of Sichuan, and eats bamboo for most of the day. "
    "A panda may also eat eggs, fish, oranges or bananas when they are offered. Cubs are born blind, pink and very small; "
    "the mother carries the cub for weeks. 大熊猫生活在山里，每天吃很多竹子。 Le panda géant vit en Chine. "
    "The number of pandas in the wild has risen slowly since 1990, from about 1,100 to more than 1,800 animals. "
)

PANDA = [
    ("what is panda?", "hi"),
    (
        "what is panda?",
        "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda, is a bear species endemic to China.",
    ),
]


def cases():
    """Every case {id, query, passage, settings…}, in the order of the fixtures."""
    out = []

    def add(id, query, passage, **settings):
        out.append({"id": id, "query": query, "passage": passage, **settings})

    add("panda-hi", *PANDA[0])
    add("panda-bear", *PANDA[1])
    add(
        "plain", "what is the capital of France", "Paris is the capital and largest city of France."
    )
    add(
        "swapped",
        "Paris is the capital and largest city of France.",
        "what is the capital of France",
    )
    add("same-text", "bamboo", "bamboo")
    add("empty-query", "", "The giant panda is a bear.")
    add("empty-passage", "what is panda?", "")
    add("empty-both", "", "")
    add("one-token", "a", "b")
    add("one-char-cjk", "熊", "猫")
    add("spaces-only", "   ", "  \u3000 ")
    add("inner-spaces", "what   is    panda", "a  b   c    d     e      f       g        h")
    add("outer-spaces", "  what is panda? ", "\n  The panda is a bear.  \n\n")
    add(
        "tabs-newlines",
        "what\tis\na panda?\r\n",
        "line one\nline two\n\n\tindented\r\nline\x0bfour\x0cfive\x85six\u2028seven",
    )
    add("many-newlines", "\n\n\n", "a\n\n\n\n\n\n\n\n\n\n\n\nb")
    add("emoji", "🐼?", "😀😀 🎉 I ❤️ pandas 🐼🐼🐼 👍")
    add("zwj", "👩‍👩‍👧‍👦 family", "👨🏽‍🚀 👩🏻‍💻 🏳️‍🌈 🇨🇳🇫🇷 1️⃣2️⃣ 👍🏿")
    add(
        "combining",
        "cafe\u0301 na\u0308ive",
        "e\u0301\u0302\u0303 a\u030a\u0327 Z\u0351\u036b\u0343A\u030aL\u0321G\u0322O\u0321 \u1e9b\u0323",
    )
    add("precomposed", "café naïve", "é å Å Ǻ ß ſ ĳ ŉ")
    add("full-width", "ＷＨＡＴ　ｉｓ　ｐａｎｄａ？", "１２３４５　！＂＃＄％　ｶﾞｷﾞｸﾞ ﾊﾟﾝﾀﾞ ￥１００")
    add("compat", "ﬁnd the ﬂow", "① ② ½ ¼ ™ ℃ ㎏ ㈱ ℡ Ⅷ ⅓ ﷺ … ‥ ª º")
    add("arabic", "ما هو الباندا؟", "الباندا العملاقة دُبٌّ يعيش في الصِّين ـ ويأكل الخيزران. ١٢٣")
    add("hebrew", "מה זה פנדה?", "הפנדה הענקית היא דוב; שָׁלוֹם עוֹלָם \u202bמימין לשמאל\u202c.")
    add("hindi", "पांडा क्या है?", "विशाल पांडा चीन में रहने वाला एक भालू है। क्षत्रिय ज्ञान श्री")
    add("thai", "แพนด้าคืออะไร", "แพนด้ายักษ์เป็นหมีที่อาศัยอยู่ในประเทศจีนและกินไผ่ น้ำ ที่นี่")
    add("chinese", "什么是熊猫？", "大熊猫是一种主要栖息于中国中部山区的熊科动物，以竹子为食。")
    add("chinese-rare", "𠮷野家是什么", "𠀀𪚥 龘靐齉 〇 々 ㄅㄆㄇ「引號」『雙』《書》——……")
    add(
        "japanese",
        "パンダとは何ですか",
        "ジャイアントパンダは中国に住むクマの一種で、竹を食べます。が\u3099 ヷ ー〜",
    )
    add(
        "korean",
        "판다는 무엇입니까?",
        "판다는 대나무를 먹고 사는 동물입니다. \u1112\u1161\u11ab\u1100\u116e\u11a8 ㄱㄴㄷ",
    )
    add("russian", "Что такое панда?", "Большая панда — медведь, живущий в Китае; ёж, ЙОД, №5.")
    add("mixed-scripts", "panda 熊猫 панда パンダ", "bear🐻熊медведьクマدبभालูหมี곰")
    add(
        "special-text-xlmr",
        "what is <s> and </s>?",
        "The tokens <pad>, <unk> and <mask> mark <s>text</s>.<mask>x",
    )
    add(
        "special-text-gemma",
        "<bos>what is<eos>",
        "<pad> <unk> <mask> <unused1> <start_of_turn>user <2mass> [@BOS@] <h1>x</h1><table>",
    )
    add("special-text-bert", "[CLS] what is [SEP]", "[PAD] [UNK] [MASK] [SEP]text[SEP] [mask]")
    add("byte-text", "<0x41> <0x0A>", "\u2581under\u2581score \u2581\u2581 <0xFF>")
    add("controls", "a\x00b\x01c", "\x00\x01\x02\x07\x08\x1b[0m\x7f\x80\x9f end \x00")
    add(
        "format-chars",
        "\ufeffwhat is panda?",
        "zero\u200bwidth\u200cnon\u200djoin\u2060word\u00adsoft \ufeffmid \u200e\u200f",
    )
    add(
        "odd-spaces",
        "what\u00a0is\u3000panda\u2009?",
        "a\u00a0b\u1680c\u2003d\u202fe\u205ff\u3000g",
    )
    add(
        "non-characters",
        "\ufffd \ufffe \uffff",
        "\U0010ffff \U000e0001 \ue000 \U000f0000 \ufff9x\ufffb",
    )
    add(
        "numbers",
        "how much is 12345.678?",
        "3.14159 1,000,000 -42 +7 1e-9 0xFF 2024-01-31 12:34:56 ½ 50% €9.99",
    )
    add(
        "code",
        "how do I sort a list?",
        "def f(xs):\n    return sorted(xs, key=lambda x: -x[0])  # O(n log n)\n\nprint(f([(1, 'a')]))\n",
    )
    add("json", '{"q": "panda"}', '{"a": [1, 2, {"b": null}], "c": "\\u00e9\\n"}')
    add(
        "url",
        "https://example.org/?q=panda&lang=en#top",
        "See http://example.org/a/b%20c/index.html or mail user.name+tag@example.org!",
    )
    add(
        "punctuation",
        "???!!!...",
        "--- *** ___ ''' \"\"\" ``` ~~~ ||| \\\\\\ /// «» ‘’ “” „‟ ‹› — – ‐ ―",
    )
    add("upper-case", "WHAT IS PANDA?", "THE GIANT PANDA IS A BEAR. İSTANBUL ISPARTA ǅ ΣΑΣ")
    add("long-word", "a" * 120, "panda" * 60)
    add("repeated", "no no no no", "yes " * 70)
    long = PARAGRAPH * 6
    add("medium-512", PARAGRAPH[:200], PARAGRAPH)
    add("long-passage-512", "what is panda?", long)
    add("long-query-512", long, "hi")
    add("both-long-512", long, long[::-1])
    add("long-passage-64", "what is panda?", PARAGRAPH, max_length=64)
    add("both-long-64", PARAGRAPH, PARAGRAPH[100:], max_length=64)
    add("short-64", "what is panda?", "It is a bear.", max_length=64)
    add("exact-16", "what is panda?", PARAGRAPH, max_length=16)
    add("both-long-16", PARAGRAPH, PARAGRAPH[50:], max_length=16)
    add("empty-passage-16", PARAGRAPH, "", max_length=16)
    add(
        "cjk-16",
        "什么是熊猫？" * 3,
        "大熊猫是一种主要栖息于中国中部山区的熊科动物。",
        max_length=16,
    )
    add("query-max-20", PARAGRAPH, PARAGRAPH, max_length=64, query_max_length=20)
    add("query-max-62", PARAGRAPH, PARAGRAPH, max_length=64, query_max_length=62)
    add("query-max-200", PARAGRAPH, PARAGRAPH, max_length=64, query_max_length=200)
    add("both-long-1024", long, long[::-1], max_length=1024)
    add("long-passage-1024", "大熊猫吃什么？", long, max_length=1024)
    add("normalize-1", *PANDA[1], normalize=True)
    add("normalize-2", "empty?", "", normalize=True)
    add("normalize-64", "what is panda?", PARAGRAPH, normalize=True, max_length=64)
    add(
        "instruction",
        "what is panda?",
        "The panda is a bear.",
        query_instruction="Query: ",
        passage_instruction="Passage: ",
    )
    add(
        "prompt",
        "what is panda?",
        "The panda is a bear.",
        prompt="Does passage B answer query A? Reply 'Yes' or 'No'.",
    )
    return out


def batches():
    """Groups of cases scored in one call (settings of the group, not of the cases)."""
    return [
        {
            "id": "mixed-lengths",
            "cases": [
                "panda-hi",
                "panda-bear",
                "empty-both",
                "medium-512",
                "emoji",
                "one-token",
                "chinese",
                "long-passage-512",
            ],
        },
        {
            "id": "mixed-lengths-small-batches",
            "batch_size": 3,
            "cases": [
                "panda-hi",
                "panda-bear",
                "empty-both",
                "medium-512",
                "emoji",
                "one-token",
                "chinese",
                "code",
            ],
        },
        {"id": "same-lengths", "cases": ["panda-hi", "panda-hi", "panda-hi"]},
        {
            "id": "normalized",
            "normalize": True,
            "cases": ["panda-hi", "panda-bear", "thai", "empty-query"],
        },
        {
            "id": "truncated-64",
            "max_length": 64,
            "cases": [
                "panda-hi",
                "medium-512",
                "long-passage-512",
                "long-query-512",
                "both-long-512",
            ],
        },
    ]
