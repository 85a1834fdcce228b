package text_test

import (
	"fmt"

	"github.com/cxkit/cxkit/feedback/text"
)

// A comment is masked, then tagged with what it is about and how it sounds.
func Example() {
	comment := text.Mask("面料很舒服，但是快递太慢了，请回电13800138000")
	fmt.Println(comment)

	lexicon, err := text.NewLexicon(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	rules, err := text.NewRules(text.RetailTopics(), lexicon)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range rules.Tag(comment) {
		fmt.Printf("%s/%s: %q (%+.0f)\n", m.Topic, m.Aspect, m.Clause.Of(comment), m.Sentiment)
	}
	// Output:
	// 面料很舒服，但是快递太慢了，请回电[phone]
	// product/quality: "面料很舒服" (+1)
	// delivery/speed: "但是快递太慢了" (-1)
}
