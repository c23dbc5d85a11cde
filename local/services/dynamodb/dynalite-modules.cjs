// The parts of dynalite that local mode uses. Plain JavaScript with literal paths, so that the build of the package can
// include them.
exports.database = require('dynalite/db');
exports.validations = require('dynalite/validations');
exports.actions = {
  BatchGetItem: { run: require('dynalite/actions/batchGetItem'), rules: require('dynalite/validations/batchGetItem') },
  BatchWriteItem: {
    run: require('dynalite/actions/batchWriteItem'),
    rules: require('dynalite/validations/batchWriteItem'),
  },
  CreateTable: { run: require('dynalite/actions/createTable'), rules: require('dynalite/validations/createTable') },
  DeleteItem: { run: require('dynalite/actions/deleteItem'), rules: require('dynalite/validations/deleteItem') },
  DeleteTable: { run: require('dynalite/actions/deleteTable'), rules: require('dynalite/validations/deleteTable') },
  DescribeTable: {
    run: require('dynalite/actions/describeTable'),
    rules: require('dynalite/validations/describeTable'),
  },
  GetItem: { run: require('dynalite/actions/getItem'), rules: require('dynalite/validations/getItem') },
  ListTables: { run: require('dynalite/actions/listTables'), rules: require('dynalite/validations/listTables') },
  ListTagsOfResource: {
    run: require('dynalite/actions/listTagsOfResource'),
    rules: require('dynalite/validations/listTagsOfResource'),
  },
  PutItem: { run: require('dynalite/actions/putItem'), rules: require('dynalite/validations/putItem') },
  Query: { run: require('dynalite/actions/query'), rules: require('dynalite/validations/query') },
  Scan: { run: require('dynalite/actions/scan'), rules: require('dynalite/validations/scan') },
  TagResource: { run: require('dynalite/actions/tagResource'), rules: require('dynalite/validations/tagResource') },
  UntagResource: {
    run: require('dynalite/actions/untagResource'),
    rules: require('dynalite/validations/untagResource'),
  },
  UpdateItem: { run: require('dynalite/actions/updateItem'), rules: require('dynalite/validations/updateItem') },
  UpdateTable: { run: require('dynalite/actions/updateTable'), rules: require('dynalite/validations/updateTable') },
};
