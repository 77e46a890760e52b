package main

import (
	"fmt"
	"strconv"
)

// A reporter is told what was found right, and how far a long check is.
type reporter func(format string, values ...interface{})

func say(format string, values ...interface{}) {
	fmt.Printf("  Go: "+format+"\n", values...)
}

func silent(string, ...interface{}) {}

func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
