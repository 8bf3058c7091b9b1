package bundle

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// File is a rule file to publish.
type File struct {
	// Path below RulesDir.
	Path string
	// Content is never changed.
	Content *Content
	// Rules is the number of rules in it, -1 if nobody has counted.
	Rules int
}

// same says whether both are the same file with the same content.
func (f File) same(o File) bool { return f.Path == o.Path && f.Content.Equal(o.Content) }

// Content is a text held compressed: rule files shrink to a fifth, and ten thousand of them are held at all times. The
// zero value is the empty text.
type Content struct {
	size int
	data []byte
}

// Size of the text in bytes.
func (c *Content) Size() int { return c.size }

// Equal says whether both have the same text. Compression is deterministic, so nothing is unpacked for it.
func (c *Content) Equal(o *Content) bool {
	return c == o || c.size == o.size && bytes.Equal(c.data, o.data)
}

// Text is the text.
func (c *Content) Text() ([]byte, error) { return new(expander).text(c) }

// Compressor makes Contents. The zero value is ready, and any number of goroutines may use it: what it keeps is working
// memory, which is dear to make for each text.
type Compressor struct{ writers sync.Pool }

// Content of a text.
func (z *Compressor) Content(text []byte) *Content {
	var out bytes.Buffer
	w, ok := z.writers.Get().(*flate.Writer)
	if ok {
		w.Reset(&out)
	} else {
		// The level is one that exists, and that is all NewWriter asks.
		w, _ = flate.NewWriter(&out, flate.BestSpeed)
	}
	// Writing to memory does not fail.
	_, _ = w.Write(text)
	_ = w.Close()
	z.writers.Put(w)
	// Neither the buffer's spare room nor anything else is held on to.
	return &Content{size: len(text), data: bytes.Clone(out.Bytes())}
}

// Files are rule files by path, as a Publisher takes them, of texts that nobody counts the rules of.
func (z *Compressor) Files(texts map[string][]byte) []File {
	files := make([]File, 0, len(texts))
	for path, text := range texts {
		files = append(files, File{Path: path, Content: z.Content(text), Rules: -1})
	}
	sortFiles(files)
	return files
}

// expander reads Contents one after the other with one working memory.
type expander struct{ r io.ReadCloser }

func (e *expander) text(c *Content) ([]byte, error) {
	if c.size == 0 {
		return nil, nil
	}
	from := bytes.NewReader(c.data)
	if e.r == nil {
		e.r = flate.NewReader(from)
	} else if err := e.r.(flate.Resetter).Reset(from, nil); err != nil {
		return nil, fmt.Errorf("expand: %w", err)
	}
	text := make([]byte, c.size)
	if _, err := io.ReadFull(e.r, text); err != nil {
		return nil, fmt.Errorf("expand: %w", err)
	}
	return text, nil
}
