package main

func Example() {
	main()
	// Output:
	// sms: advice
	// [earned 599 points; 599 points available]
}
