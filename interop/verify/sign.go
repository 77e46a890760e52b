package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	origin = "go.interop.concordat/log"
	other  = "go.interop.concordat/other"
	text   = "Nothing in particular.\n\nAn em dash opens no line of signatures here:\n\u2014 neither does this\n"
)

// Sign writes what our code is to verify: the verifier keys of two fresh keys, checkpoints of the log as Go
// computes and signs them with the first, and a note of several paragraphs that both signed.
func sign(f files, keys trusted, out string) error {
	logSigner, logKey, err := newSigner(origin)
	if err != nil {
		return err
	}
	otherSigner, otherKey, err := newSigner(other)
	if err != nil {
		return err
	}
	signed := map[string][]byte{"vkeys": []byte(logKey + "\n" + otherKey + "\n")}
	if signed["note"], err = note.Sign(&note.Note{Text: text}, logSigner, otherSigner); err != nil {
		return err
	}
	msg, err := f.read("log/checkpoint")
	if err != nil {
		return err
	}
	tree, err := keys.open(msg)
	if err != nil {
		return err
	}
	made, err := rebuild(f, tree)
	if err != nil {
		return err
	}
	for _, size := range []int64{1, 2, 3, 255, 256, 257, 511, 512, 513, 65535, 65536, 65537, tree.N} {
		if size > tree.N {
			continue
		}
		root, err := tlog.TreeHash(size, made)
		if err != nil {
			return err
		}
		checkpoint := formatCheckpoint(origin, tlog.Tree{N: size, Hash: root})
		name := fmt.Sprintf("checkpoint-%d", size)
		if signed[name], err = note.Sign(&note.Note{Text: checkpoint}, logSigner); err != nil {
			return err
		}
	}
	for name, data := range signed {
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func newSigner(name string) (note.Signer, string, error) {
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return nil, "", err
	}
	signer, err := note.NewSigner(private)
	return signer, public, err
}
