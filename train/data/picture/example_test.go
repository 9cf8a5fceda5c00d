package picture_test

import (
	"fmt"
	"log"
	"os"

	"sparsevk/train/data/picture"
)

// A photograph that was taken on its side, as a network of 32×32 pixels takes it.
func Example() {
	file, err := os.Open("testdata/side.jpg")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	image, err := picture.Decode(file)
	if err != nil {
		log.Fatal(err)
	}
	planes, err := picture.Planes(image, 32, 32, 3)
	fmt.Println(image.Bounds().Size(), len(planes), err)
	// Output: (32,64) 3072 <nil>
}
