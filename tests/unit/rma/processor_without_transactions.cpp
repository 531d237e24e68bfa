// In the place of src/rma/processor.cpp: a processor that lacks transactions.
#include "rma/processor.hpp"

const psnam::rma::Processor psnam::rma::kProcessor{true, false};
