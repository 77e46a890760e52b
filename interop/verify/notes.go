package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Trusted are the keys that vouch for a log.
type trusted struct {
	log     note.Verifier
	witness note.Verifier
}

// Open opens a checkpoint twice: as one who knows the log only, to whom the witness's line is of an unknown
// type and ignored, and as one who wants the witness's word too.
func (t trusted) open(msg []byte) (tlog.Tree, error) {
	plain, err := note.Open(msg, note.VerifierList(t.log))
	if err != nil {
		return tlog.Tree{}, err
	}
	if len(plain.Sigs) != 1 || len(plain.UnverifiedSigs) != 1 {
		return tlog.Tree{}, errors.New("want one line of the log's and one of a key that it does not know")
	}
	cosigned, err := note.Open(msg, note.VerifierList(t.log, t.witness))
	if err != nil {
		return tlog.Tree{}, err
	}
	if len(cosigned.Sigs) != 2 {
		return tlog.Tree{}, errors.New("the witness did not cosign")
	}
	return parseCheckpoint(plain.Text, t.log.Name())
}

// ParseCheckpoint reads the three lines of c2sp.org/tlog-checkpoint: origin, size, root.
func parseCheckpoint(text, origin string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("the size %q is not a plain decimal", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func formatCheckpoint(origin string, tree tlog.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, tree.N, tree.Hash)
}

// Witness verifies cosignatures of c2sp.org/tlog-cosignature v1, which the note package does not know.
type witness struct {
	name string
	key  []byte // the type, 0x04, and an Ed25519 public key
}

func newWitness(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("a verifier key has three parts")
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	if len(key) != 1+ed25519.PublicKeySize || key[0] != 0x04 {
		return nil, errors.New("not a key that cosigns")
	}
	made := witness{parts[0], key}
	if hash := fmt.Sprintf("%08x", made.KeyHash()); hash != parts[1] {
		return nil, fmt.Errorf("its hash is %s, not %s", hash, parts[1])
	}
	return made, nil
}

func (w witness) Name() string { return w.name }

func (w witness) KeyHash() uint32 {
	sum := sha256.Sum256(bytes.Join([][]byte{[]byte(w.name), w.key}, []byte("\n")))
	return binary.BigEndian.Uint32(sum[:])
}

func (w witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(w.key[1:], []byte(signed), sig[8:])
}
