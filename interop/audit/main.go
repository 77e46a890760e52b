// Audit fetches a log's checkpoint and all its entries, and computes the root again.
//
//	audit VKEY URL
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256 // entries of a full bundle

type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = h[index]
	}
	return found, nil
}

func get(url string) []byte {
	answer, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		log.Fatal(url, ": ", answer.Status, " ", err)
	}
	return body
}

// Bundle returns the path of a bundle of entries, as c2sp.org/tlog-tiles has it.
func bundle(number, entries int64) string {
	path := fmt.Sprintf("%03d", number%1000)
	for number /= 1000; number > 0; number /= 1000 {
		path = fmt.Sprintf("x%03d/%s", number%1000, path)
	}
	if entries < width {
		path += fmt.Sprintf(".p/%d", entries)
	}
	return "/tile/entries/" + path
}

func main() {
	key, err := note.NewVerifier(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	url := strings.TrimSuffix(os.Args[2], "/")
	signed, err := note.Open(get(url+"/checkpoint"), note.VerifierList(key))
	if err != nil {
		log.Fatal("the checkpoint: ", err)
	}
	lines := strings.Split(signed.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || lines[0] != key.Name() {
		log.Fatal("the checkpoint is not this log's: ", err)
	}
	var made hashes
	for count := int64(0); count < size; {
		entries := size - count
		if entries > width {
			entries = width
		}
		for data := get(url + bundle(count/width, entries)); len(data) > 0; count++ {
			length := 2 + int(binary.BigEndian.Uint16(data))
			more, err := tlog.StoredHashes(count, data[2:length], made)
			if err != nil {
				log.Fatal(err)
			}
			made, data = append(made, more...), data[length:]
		}
	}
	root, err := tlog.TreeHash(size, made)
	if err != nil || root.String() != lines[2] {
		log.Fatal("the entries do not hash to the root that was signed: ", err)
	}
	fmt.Println(size, "entries, root", root, "signed by", key.Name())
}
