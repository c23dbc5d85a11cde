/** Everyday words that the bench's texts are made of; what they say does not matter, their lengths and tokens do. */
export const WORDS: readonly string[] = `
a about across after again air all almost along already also although always among an and animal another answer any
apple are area arm around arrive art as ask at autumn away back bag bakery bank be beach because become bed before begin
behind believe below beside best better between big bird black blue board boat body book both bottle box bread bridge
bright bring brother brown build building bus but buy by call can captain car card carefully carry cat chair change cheap
child choose church circle city clean clear climb clock close cloud coast coat coffee cold colour come comfortable company
complete computer consider contain cook corner cost could count country course cover cross cup customer cut dark daughter
day decide deep delivery describe desk detail develop different dinner direction discover distance doctor dog door down
draw dream dress drink drive during each early earth east easy eat edge egg eight either electric else empty end engine
enough enter equal even evening ever every example except expect explain eye face fact fall family far farm fast father
feel few field fifty figure fill final find fine finger finish fire first fish five floor flower fly follow food foot for
forest forget form forward found four free fresh friday friend from front fruit full garden gate general get girl give
glass go gold good government grass great green ground group grow guess guitar hair half hand happen happy harbour hard
have he head hear heart heavy help her here high hill him his history hold home hope horse hospital hot hour house how
however hundred ice idea if important in inside instead interest into invoice iron island it join journey jump just keep
kind king kitchen know lake lamp land language large last late laugh law lead learn least leave left less letter level
library light like line listen little live long look lose loud love low lunch machine make man many map market matter may
meal mean measure meat meet memory metal middle might mile milk mind minute missing model modern monday money month moon
more morning most mother mountain mouth move much museum music must my name near necessary need neighbour never new news
next night nine no noise none north not note nothing notice now number object ocean of off offer office often oil old on
once one only open or orange order other our out over own page paint paper park part party pass past path pay people
perhaps person phone picture piece place plan plant play please point police possible power practice prepare present press
price problem product promise provide public pull purple push put quarter question quick quiet quite radio rain raise
reach read ready really reason receive record red refund remember repair repeat reply rest return rice rich ride right
ring rise river road rock roof room round row run safe sail salt same sand saturday say school science sea season second
see seem sell send sentence serve seven several shape share she ship shirt shoe shop short should shoulder show side sign
silver simple since sing sister sit six size skin sky sleep slowly small smell smile snow so soft some son song soon sound
south space speak special spell spend spoon spring square stand star start state station stay step still stone stop store
storm story straight strange street strong student study such sudden sugar summer sun supper support sure surface sweet
swim system table tail take talk tall taste teach team tell ten than that the their them then there these they thick thin
thing think third this those though thought thousand three through throw ticket time tired to today together tomorrow too
tool top toward town track train travel tree trip true try turn twelve two under understand until up upon us use usual
valley very view village visit voice wait walk wall want war warm was watch water wave way we weather week weight well
were west what wheel when where which while white who whole why wide wife will wind window winter wish with without woman
wonder wood word work world would write wrong yard year yellow yes yet you young your zero
`
  .trim()
  .split(/\s+/);
