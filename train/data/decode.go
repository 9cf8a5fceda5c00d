package data

import (
	"context"
	"fmt"
	"image"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"sparsevk/train/data/picture"
	"sparsevk/train/internal/durable"
)

// decode fills the set with the files' images, in their order. Broken ones are
// left out, or end it if o.Strict is set.
func (s *Set) decode(ctx context.Context, files []labelled, o FolderOptions) ([]Broken, error) {
	record := s.Record()
	s.Images, s.Labels = make([]byte, len(files)*record), make([]uint16, 0, len(files))
	faults := make([]error, len(files))
	room := semaphore.NewWeighted(picture.MaxPixels) // pixels being decoded: a few photographs, or one giant
	var mu sync.Mutex                                // of done and of o.Progress
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			err := decodeFile(ctx, room, file.path, s, s.Images[i*record:(i+1)*record])
			if ctx.Err() != nil {
				return ctx.Err()
			}
			faults[i] = err
			if err != nil && o.Strict {
				return Broken{file.path, err}
			}
			mu.Lock()
			defer mu.Unlock()
			if done++; o.Progress != nil {
				o.Progress(done, len(files))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if done < len(files) { // Wait has ended the group's context
		return nil, context.Canceled
	}
	var broken []Broken
	for i, file := range files {
		if faults[i] != nil {
			broken = append(broken, Broken{file.path, faults[i]})
			continue
		}
		copy(s.Images[len(s.Labels)*record:], s.Images[i*record:(i+1)*record])
		s.Labels = append(s.Labels, file.label)
	}
	s.Images = s.Images[:len(s.Labels)*record]
	return broken, nil
}

// decodeFile reads one image into planes. A decoder that panics has met a broken
// file.
func decodeFile(ctx context.Context, room *semaphore.Weighted, path string, s *Set, to []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its decoder panics: %v", p)
		}
	}()
	f, _, err := durable.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	weight := int64(1)
	if c, _, err := image.DecodeConfig(f); err == nil { // what is wrong with it Decode says
		weight = min(max(int64(c.Width)*int64(c.Height), 1), picture.MaxPixels)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := room.Acquire(ctx, weight); err != nil {
		return err
	}
	defer room.Release(weight)
	m, err := picture.Decode(f)
	if err != nil {
		return err
	}
	planes, err := picture.Planes(m, s.H, s.W, s.C)
	copy(to, planes)
	return err
}
