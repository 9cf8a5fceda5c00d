package data

import "fmt"

// readRecords reads CIFAR's binary files: records of one label byte per kind of
// label and an image, [c][y][x].
func (s *Set) readRecords(k *known, paths []string, o Options) error {
	for i, path := range paths {
		content, err := readFile(path)
		if err != nil {
			return err
		}
		if err := k.checkRecords(path, content, k.records[s.Split], o); err != nil {
			return err
		}
		if err := s.verify(k.files[s.Split][i], path, content, o); err != nil {
			return err
		}
		s.appendRecords(k, content, len(paths))
	}
	return nil
}

// checkRecords reports a content that is not want records with labels in range.
func (k *known) checkRecords(path string, content []byte, want int, o Options) error {
	record := len(k.labels) + k.c*k.h*k.w
	n := len(content) / record
	switch {
	case o.Foreign && n > 0 && len(content)%record == 0:
	case len(content) < want*record && !o.Foreign:
		return fmt.Errorf("%s has %d bytes, %d records of %d make %d: truncated after record %d; get it again",
			path, len(content), want, record, want*record, n)
	case len(content) != want*record:
		return fmt.Errorf("%s has %d bytes, %d records of %d make %d: not a file of %s",
			path, len(content), want, record, want*record, k.title)
	}
	for i := range n {
		for j, classes := range k.labels {
			if label := int(content[i*record+j]); label >= classes {
				return fmt.Errorf("%s: record %d (byte %d) has label %d, labels are below %d: damaged, or not %s",
					path, i, i*record+j, label, classes, k.title)
			}
		}
	}
	return nil
}

// appendRecords appends the images of one of the given number of files.
func (s *Set) appendRecords(k *known, content []byte, files int) {
	image := s.Record()
	record := len(k.labels) + image
	n := len(content) / record
	if s.Images == nil {
		s.Images = make([]byte, 0, files*n*image)
		s.Labels = make([]uint16, 0, files*n)
	}
	for i := range n {
		r := content[i*record : (i+1)*record]
		s.Labels = append(s.Labels, uint16(r[k.label]))
		s.Images = append(s.Images, r[len(k.labels):]...)
	}
}
