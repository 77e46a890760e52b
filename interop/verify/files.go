package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

const height = 8 // of tiles

// Files are what a log is read from.
type files interface {
	read(name string) ([]byte, error)
}

// Folder reads from a directory.
type folder string

func (f folder) read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(name)))
}

// TilePath is where c2sp.org/tlog-tiles has a tile: as Go does, without the height.
func tilePath(t tlog.Tile) string {
	return "log/tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", t.H))
}

// BundlePath is where it has the entries under a tile of level 0.
func bundlePath(t tlog.Tile) string {
	return strings.Replace(tilePath(t), "log/tile/0/", "log/tile/entries/", 1)
}

// Tiles gives Go's code the log's tiles, each read once.
type tiles struct {
	files files
	kept  sync.Map // of bytes, by path
}

func (t *tiles) Height() int { return height }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		path := tilePath(tile)
		if kept, ok := t.kept.Load(path); ok {
			found[i] = kept.([]byte)
			continue
		}
		data, err := t.files.read(path)
		if err != nil {
			return nil, err
		}
		t.kept.Store(path, data)
		found[i] = data
	}
	return found, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// SplitBundle returns the entries of a bundle: each after its length in two bytes.
func splitBundle(data []byte) ([][]byte, error) {
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			return nil, errors.New("it ends within a length")
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		if len(data) < end {
			return nil, errors.New("it ends within an entry")
		}
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	return entries, nil
}

// SplitNotes returns the notes of the file of checkpoints: each after its length in four bytes.
func splitNotes(data []byte) ([][]byte, error) {
	var notes [][]byte
	for len(data) > 0 {
		if len(data) < 4 {
			return nil, errors.New("it ends within a length")
		}
		end := 4 + int64(binary.BigEndian.Uint32(data))
		if int64(len(data)) < end {
			return nil, errors.New("it ends within a note")
		}
		notes = append(notes, data[4:end])
		data = data[end:]
	}
	return notes, nil
}

// SplitProofs returns exactly count proofs: each as the number of its hashes in a byte, and the hashes.
func splitProofs(data []byte, count int64) ([][]tlog.Hash, error) {
	proofs := make([][]tlog.Hash, 0, count)
	for len(data) > 0 {
		end := 1 + int(data[0])*tlog.HashSize
		if len(data) < end {
			return nil, errors.New("it ends within a proof")
		}
		proof := make([]tlog.Hash, data[0])
		for i := range proof {
			copy(proof[i][:], data[1+i*tlog.HashSize:])
		}
		proofs = append(proofs, proof)
		data = data[end:]
	}
	if int64(len(proofs)) != count {
		return nil, fmt.Errorf("it holds %d proofs, not %d", len(proofs), count)
	}
	return proofs, nil
}
